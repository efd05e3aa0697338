from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tweets', '0003_public_feed_and_paths'),
    ]

    operations = [
        migrations.AddField(
            model_name='tweetrow',
            name='deleted_op',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name='tweetrow',
            index=models.Index(condition=models.Q(('deleted_op__isnull', False)), fields=['-deleted_op'], name='deletions'),
        ),
    ]
