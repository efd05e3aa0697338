from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tweets', '0004_deletions'),
    ]

    operations = [
        migrations.AddField(
            model_name='tweetrow',
            name='changed_op',
            field=models.BigIntegerField(default=0),
        ),
    ]
